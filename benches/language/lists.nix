# Lists through most builtins that take a function.
let
  numbers = builtins.genList (n: n) 200000;
  isEven = n: n / 2 * 2 == n;
  halves = builtins.partition isEven numbers;
  pairs = builtins.concatMap (n: [ n (n + 1) ]) numbers;
  groups = builtins.groupBy (n: toString (n - n / 97 * 97)) numbers;
in
{
  even = builtins.length (builtins.filter isEven (map (n: n * 3) numbers));
  halves = builtins.length halves.right - builtins.length halves.wrong;
  pairs = builtins.foldl' builtins.add 0 pairs;
  groups = builtins.mapAttrs (_: group: builtins.length group) groups;
  all = builtins.all (n: n >= 0) numbers;
  any = builtins.any (n: n > 199998) numbers;
  last = builtins.elemAt pairs (builtins.length pairs - 1);
  joined = builtins.length (builtins.concatLists (builtins.genList (n: builtins.genList (m: n) 30) 10000));
}
