# `//`: 8,000 single keys into a growing set, and 600,000 merges of small sets.
let
  range = builtins.genList (n: n);
  grown = builtins.foldl' (set: n: set // { ${"key${toString n}"} = n; }) { } (range 8000);
  small = builtins.foldl' (set: n: set // { b = n; d = set.b; }) { a = 0; b = 0; c = 0; d = 0; } (range 600000);
in
[ (builtins.length (builtins.attrNames grown)) grown.key7999 small ]
