// main.go - coder/hnsw: a graph of Go maps; its EfSearch also rules the search while inserting
// SPDX-License-Identifier: MIT OR Apache-2.0

// Command coder is a peer, see package serve.
package main

import (
	"bufio"
	"math/rand"
	"os"

	"github.com/coder/hnsw"

	"nigh.invalid/go-peers/serve"
)

const seed = 42

type coder struct {
	graph *hnsw.Graph[int32]
}

// newCoder has its other defaults: levels by 1/4, at most M links a node in all layers.
func newCoder(job serve.Job) serve.Peer {
	graph := hnsw.NewGraph[int32]()
	graph.M = job.M
	graph.EfSearch = job.EfBuild
	graph.Rng = rand.New(rand.NewSource(seed))
	graph.Distance = hnsw.CosineDistance
	if job.L2 {
		graph.Distance = hnsw.EuclideanDistance
	}
	return &coder{graph}
}

func (c *coder) Build(rows serve.Rows) {
	for i := range rows.Count() {
		c.graph.Add(hnsw.MakeNode(int32(i), rows.Row(i)))
	}
}

func (c *coder) Save(path string) {
	file, err := os.Create(path)
	serve.Check(err)
	writer := bufio.NewWriterSize(file, 1<<20)
	serve.Check(c.graph.Export(writer))
	serve.Check(writer.Flush())
	serve.Check(file.Close())
}

func (c *coder) Open(path string) {
	file, err := os.Open(path)
	serve.Check(err)
	defer file.Close()
	serve.Check(c.graph.Import(bufio.NewReaderSize(file, 1<<20)))
}

func (c *coder) SetEf(ef int) { c.graph.EfSearch = ef }

func (c *coder) Search(query []float32, ids []int32) []int32 {
	for _, node := range c.graph.Search(query, serve.K) {
		ids = append(ids, node.Key)
	}
	return ids
}

func main() { serve.Run(newCoder) }
