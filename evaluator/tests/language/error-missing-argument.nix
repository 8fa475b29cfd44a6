let f = { name }: name; in f { }
