{ b = (import ./lazy-cycle-a.nix).a; }
