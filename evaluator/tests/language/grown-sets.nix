let
  grow = builtins.foldl' (s: n: s // { "k${toString n}" = n; }) { } (builtins.genList (x: x - x / 500 * 500) 1200);
in [ (builtins.length (builtins.attrNames grow)) grow.k0 grow.k499 (builtins.elemAt (builtins.attrNames grow) 1) (builtins.removeAttrs grow (builtins.attrNames (removeAttrs grow [ "k7" ]))) ]
