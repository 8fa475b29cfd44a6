let
  counter = { n = 2; __functor = self: x: self.n + x; };
  named = { name = "it"; __toString = self: "<${self.name}>"; };
in [ (counter 3) "${named}" (toString named) (map counter [ 1 2 ]) (builtins.toJSON named) (toString [ 1 [ 2 "a" ] true null false ]) ]
