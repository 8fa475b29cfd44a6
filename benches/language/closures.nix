# Functions that make functions: composition, partial application, arguments flipped, numbers as functions.
let
  compose = f: g: x: f (g x);
  flip = f: a: b: f b a;
  pipe = value: functions: builtins.foldl' (x: f: f x) value functions;
  add = a: b: a + b;
  twice = f: compose f f;
  church = n: f: x: if n == 0 then x else f (church (n - 1) f x);
  chain = builtins.foldl' compose (x: x) (builtins.genList (n: add n) 500);
  range = builtins.genList (n: n);
in
[
  (builtins.foldl' (total: n: total + chain n) 0 (range 1000))
  (builtins.foldl' (total: n: pipe total [ (add 1) (flip add n) (twice (add 2)) (x: x - n) ]) 0 (range 100000))
  (builtins.foldl' (total: n: total + church 100 (add 1) n) 0 (range 3000))
]
