let
  f = x: x;
in "value: ${f}"
