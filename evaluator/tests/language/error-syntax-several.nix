{
  a = ;
  b = [ 1 2;
  c = { d = 1 e = 2; };
  f = if true then 1;
}
