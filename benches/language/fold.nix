# Strict folds over a million elements, with a lambda of two arguments and with builtins.
let
  numbers = builtins.genList (n: n) 1000000;
  sum = builtins.foldl' (total: n: total + n) 0 numbers;
  largest = builtins.foldl' (most: n: if n > most then n else most) 0 numbers;
  product = builtins.foldl' builtins.bitXor 0 numbers;
in
[ sum largest product ]
