# Sets of 100,000 attributes through every builtin of attributes.
let
  keys = builtins.genList (n: "attribute-${toString n}") 100000;
  set = builtins.listToAttrs (map (name: { inherit name; value = builtins.stringLength name; }) keys);
  mapped = builtins.mapAttrs (name: value: value + 1) set;
  half = builtins.listToAttrs (builtins.genList (n: { name = "attribute-${toString (n * 2)}"; value = n; }) 50000);
in
[
  (builtins.length (builtins.attrNames mapped))
  (builtins.foldl' builtins.add 0 (builtins.attrValues mapped))
  (builtins.length (builtins.attrNames (builtins.intersectAttrs half set)))
  (builtins.length (builtins.attrNames (removeAttrs set (builtins.attrNames half))))
  (builtins.length (builtins.attrNames (set // half)))
  (builtins.foldl' (total: name: total + builtins.getAttr name set) 0 keys)
  (builtins.length (builtins.filter (name: builtins.hasAttr name half) keys))
  (builtins.length (builtins.catAttrs "attribute-5" [ set mapped half ]))
  (builtins.attrNames (builtins.zipAttrsWith (name: values: values) [ half mapped ]) == builtins.attrNames set)
]
