let
  check = x: if x > 1 then throw "x is ${toString x}" else x;
  outer = y: check (y + 1) + 1;
in { value = outer 5; }
