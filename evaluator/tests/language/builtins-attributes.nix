with builtins; [
  (attrNames { b = 1; a = 2; }) (attrValues { b = 1; a = 2; }) (mapAttrs (n: v: n + toString v) { a = 1; b = 2; })
  (removeAttrs { a = 1; b = 2; } [ "a" "zz" ]) (intersectAttrs { a = 1; c = 2; } { a = 3; b = 4; c = 5; })
  (listToAttrs [ { name = "x"; value = 1; } { name = "x"; value = 2; } { name = "a"; value = 3; } ])
  (hasAttr "a" { a = 1; }) (getAttr "a" { a = 1; }) (catAttrs "a" [ { a = 1; } { b = 2; } { a = 3; } ])
  (functionArgs ({ a, b ? 1 }: a)) (functionArgs (x: x))
]
