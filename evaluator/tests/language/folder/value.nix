{ a = 1; file = ./x/../y; }
