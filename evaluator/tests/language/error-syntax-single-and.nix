{ a = true & false; }
