let
  values = [
    1
    2
    3
    4
    5
  ];
in values {
  a = 1;
  b = 2;
}
