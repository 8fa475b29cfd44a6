with builtins; [
  (map (x: x + 1) [ 1 2 ]) (filter (x: x > 1) [ 1 2 3 ]) (foldl' (a: b: a * 10 + b) 0 [ 1 2 3 ])
  (elem 2 [ 1 2 ]) (elemAt [ 1 2 ] 1) (head [ 1 2 ]) (tail [ 1 2 ]) (length [ 1 ]) (genList (x: x * x) 4)
  (concatLists [ [ 1 ] [ ] [ 2 3 ] ]) (concatMap (x: [ x x ]) [ 1 2 ]) (all (x: x > 0) [ 1 2 ]) (any (x: x > 1) [ 1 2 ])
  (sort lessThan [ 3 1 2 ]) (sort (a: b: a.k < b.k) [ { k = 2; v = 1; } { k = 1; v = 2; } { k = 2; v = 0; } ])
  (partition (x: x > 1) [ 1 2 3 ]) (groupBy (x: if x > 1 then "big" else "small") [ 1 2 3 ])
]
