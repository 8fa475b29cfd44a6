let
  x = 1;
  s = { x = 2; y = 3; map = 4; };
  f = { a, b ? a + 1, ... }@all: [ a b (all ? b) ];
  g = all@{ a ? x, x ? 10 }: a;
  inherit (s) y;
  shadow = let inherit x; in let x = 5; inherit (s) map; in [ x map ];
in [
  (with s; [ x y (builtins.typeOf map) ])
  (with s; with { y = 7; z = 8; }; [ y z ])
  (f { a = 1; c = 9; })
  (g { })
  y
  shadow
  (let { body = a; a = 3; })
  (rec { a = 1; b = rec { c = a; }; }.b.c)
  ((x: y: x - y) 5 3)
  ({ x ? 1, y ? x }: y) 
  (({ x ? 1, y ? x }: y) { x = 4; })
]
