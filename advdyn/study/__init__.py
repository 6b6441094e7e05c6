"""What a study is: its parameters, its sweep, the names of its files, what it costs."""
