{ a = “text”; }
