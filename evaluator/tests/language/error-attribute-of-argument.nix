(s: s.nmae) { name = "x"; version = 1; }
