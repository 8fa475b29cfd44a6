let
  name = "x";
  number = 5;
in name + number
