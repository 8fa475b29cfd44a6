{ a = let x = 1; x; b = 2; }
