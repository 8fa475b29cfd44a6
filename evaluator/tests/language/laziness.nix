let
  xs = [ (throw "a") 2 ];
  s = { a = throw "b"; b = 3; };
  ones = { head = 1; tail = ones; };
  fix = f: let x = f x; in x;
in [
  (builtins.elemAt xs 1) (builtins.length xs) s.b ones.tail.tail.head
  (fix (self: { a = 1; b = self.a + 1; })).b
  ((x: 1) (throw "c"))
  (builtins.tryEval (throw "d"))
  (builtins.tryEval (assert false; 1))
  (builtins.tryEval (builtins.seq 1 2))
  (builtins.seq { a = throw "e"; } 1)
]
