// main.go - coder/hnsw: a graph of Go maps; its EfSearch also rules the search while inserting
// SPDX-License-Identifier: MIT OR Apache-2.0

// Command go-peers is run as `go-peers build JOB... ROWS` or `go-peers serve JOB... QUERIES IDS`,
// see serve.go.
package main

import (
	"bufio"
	"math/rand"
	"os"

	"github.com/coder/hnsw"
)

const seed = 42

type coder struct {
	graph *hnsw.Graph[int32]
}

// newCoder has its other defaults: levels by 1/4, at most M links a node in all layers.
func newCoder(job job) *coder {
	graph := hnsw.NewGraph[int32]()
	graph.M = job.m
	graph.EfSearch = job.efBuild
	graph.Rng = rand.New(rand.NewSource(seed))
	graph.Distance = hnsw.CosineDistance
	if job.l2 {
		graph.Distance = hnsw.EuclideanDistance
	}
	return &coder{graph}
}

func (c *coder) build(rows rows) {
	for i := range rows.count() {
		c.graph.Add(hnsw.MakeNode(int32(i), rows.row(i)))
	}
}

func (c *coder) save(path string) {
	file, err := os.Create(path)
	check(err)
	writer := bufio.NewWriterSize(file, 1<<20)
	check(c.graph.Export(writer))
	check(writer.Flush())
	check(file.Close())
}

func (c *coder) open(path string) {
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	check(c.graph.Import(bufio.NewReaderSize(file, 1<<20)))
}

func (c *coder) setEf(ef int) { c.graph.EfSearch = ef }

func (c *coder) search(query []float32, ids []int32) []int32 {
	for _, node := range c.graph.Search(query, k) {
		ids = append(ids, node.Key)
	}
	return ids
}

func main() { run(func(job job) peer { return newCoder(job) }) }
