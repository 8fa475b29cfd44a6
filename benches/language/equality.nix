# Comparison of deep values: nested lists, sets, strings.
let
  tree = depth: if depth == 0 then { leaf = "text"; n = 1; } else { left = tree (depth - 1); right = [ (tree (depth - 1)) depth ]; };
  list = n: builtins.genList (m: [ m (toString m) { value = n; } ]) 60000;
in
[
  (tree 15 == tree 15)
  (list 1 == list 1)
  (list 1 == list 2)
  (map (n: [ "a" n 1 ]) (builtins.genList (n: n) 100000) < map (n: [ "a" n 1 ]) (builtins.genList (n: n) 100001))
  (builtins.elem [ 5 ] (map (n: [ n ]) (builtins.genList (n: n + 6) 100000)))
]
