// main.go - nigh through its Go package, f32 or with 8-bit codes (the option of the job)
// SPDX-License-Identifier: MIT OR Apache-2.0

// Command nigh is a peer, see package serve.
package main

import (
	"context"

	nigh "github.com/nigh-search/nigh/bindings/go"

	"nigh.invalid/go-peers/serve"
)

const seed = 42

type peer struct {
	job     serve.Job
	index   *nigh.Index[uint64]
	options nigh.SearchOptions
	hits    [serve.K]nigh.Hit[uint64]
}

func (p *peer) Build(rows serve.Rows) {
	options := nigh.Options{Dim: rows.Dim, Metric: nigh.Cosine, M: p.job.M, EfBuild: p.job.EfBuild,
		Seed: seed, Capacity: rows.Count()}
	if p.job.L2 {
		options.Metric = nigh.L2
	}
	if p.job.Option == "u7" {
		options.Codes = nigh.U7Codes
	}
	index, err := nigh.New[uint64](options)
	serve.Check(err)
	keys := make([]uint64, rows.Count())
	for i := range keys {
		keys[i] = uint64(i)
	}
	_, err = index.Build(context.Background(), keys, rows.Data, &nigh.JobOptions{Threads: 1})
	serve.Check(err)
	p.index = index
}

func (p *peer) Save(path string) { serve.Check(p.index.SaveFile(path)) }

func (p *peer) Open(path string) {
	index, err := nigh.Open[uint64](path, nil)
	serve.Check(err)
	p.index = index
}

func (p *peer) SetEf(ef int) { p.options.Ef = ef }

func (p *peer) Search(query []float32, ids []int32) []int32 {
	found, err := p.index.SearchInto(p.hits[:], query, &p.options)
	serve.Check(err)
	for _, hit := range p.hits[:found] {
		ids = append(ids, int32(hit.Key))
	}
	return ids
}

func main() { serve.Run(func(job serve.Job) serve.Peer { return &peer{job: job} }) }
