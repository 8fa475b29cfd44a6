{ a = 1; /* note
}
