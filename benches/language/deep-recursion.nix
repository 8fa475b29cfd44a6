# Recursion that isn't in tail position, 9,000 calls deep, many times; and lists built by recursion.
let
  sum = n: if n == 0 then 0 else n + sum (n - 1);
  count = n: if n == 0 then [ ] else [ n ] ++ count (n - 1);
  right = function: list:
    let
      length = builtins.length list;
      at = n: if n == length then 0 else function (builtins.elemAt list n) (at (n + 1));
    in
    at 0;
  times = n: function: builtins.foldl' (total: n: total + function n) 0 (builtins.genList (n: n) n);
in
[
  (times 60 (n: sum 9000))
  (times 20 (n: right (a: b: a + b) (builtins.genList (m: m + n) 2900)))
  (builtins.length (count 2000))
]
