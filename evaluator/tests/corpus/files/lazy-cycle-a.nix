{ a = 1; b = import ./lazy-cycle-b.nix; }
