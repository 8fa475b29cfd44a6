# Attribute paths: deep selection, `or`, `?`, `with`, `inherit`, dynamic names, recursive sets.
let
  deep = { a.b.c.d = 1; a.b.x = null; };
  scope = { one = 1; two = 2; three = 3; };
  at = n:
    with scope;
    let inherit (deep.a.b) c; in
    deep.a.b.c.d + (deep.a.b.missing.name or two) + (if deep ? a.b.c.d && !(deep ? a.z.y) then three else 0)
    + c.d + deep.${"a"}.b.c.${"d"} + one + (rec { p = n; q = p + 1; r = q + p; }).r;
in
builtins.foldl' (total: n: total + at n) 0 (builtins.genList (n: n) 200000)
