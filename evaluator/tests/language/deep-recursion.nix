let
  sum = n: if n == 0 then 0 else 1 + sum (n - 1);
  thunks = builtins.foldl' (f: _: x: f (x + 1)) (x: x) (builtins.genList (x: x) 9000);
in [ (sum 9000) (thunks 0) ]
