rec {
  x = y;
  y = x + 1;
}.x
