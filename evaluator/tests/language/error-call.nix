let
  f = { name, version ? "1" }: name;
in f { nmae = 1; name = 2; }
