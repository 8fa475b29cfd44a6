{ a = 1; } // import ./cycle-a.nix
