module github.com/nigh-search/nigh/bindings/go

go 1.24
