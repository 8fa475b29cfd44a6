let
  a = f (1 + 2;
  b = 3;
in a
