module gocheck

go 1.26.0
