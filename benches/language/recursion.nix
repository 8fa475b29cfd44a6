# Calls of one-argument functions and integer arithmetic, with nothing else: 2.7 million calls.
let
  fibonacci = n: if n < 2 then n else fibonacci (n - 1) + fibonacci (n - 2);
in
fibonacci 30
