// serve.go - the rows, the clock, and the words that a peer in Go trades with compare.py
// SPDX-License-Identifier: MIT OR Apache-2.0

// Package serve is what the Go peers share. A peer is run as `peer build JOB... ROWS` or
// `peer serve JOB... QUERIES IDS`, JOB being METRIC FOLDER M EF_BUILD OPTION.
package serve

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// K is how many neighbours are asked for.
const K = 10

const (
	slowSeconds  = 1.0
	rusageThread = 1
)

// Job is what is asked for; what the lines on standard output hold is in worker.py.
type Job struct {
	L2         bool // else rows are of unit length, to be compared by their angle
	M, EfBuild int
	Option     string
}

// Peer builds with one thread and searches with one.
type Peer interface {
	Build(rows Rows)
	Save(path string)
	Open(path string)
	SetEf(ef int)
	Search(query []float32, ids []int32) []int32 // appends up to K ids, nearest first
}

// Rows are vectors one after another.
type Rows struct {
	Data []float32
	Dim  int
}

// Count is how many there are.
func (r Rows) Count() int { return len(r.Data) / r.Dim }

// Row is one of them.
func (r Rows) Row(i int) []float32 { return r.Data[i*r.Dim : (i+1)*r.Dim] }

// Check ends the process for an error.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var npyHead = regexp.MustCompile(`'<f4'.*'fortran_order': False.*\((\d+), (\d+)\)`)

// readNpy reads a .npy of little-endian f32 in C order.
func readNpy(path string) Rows {
	data, err := os.ReadFile(path)
	Check(err)
	start := 10 + int(binary.LittleEndian.Uint16(data[8:]))
	head := npyHead.FindStringSubmatch(string(data[10:start]))
	if head == nil {
		Check(fmt.Errorf("%s: %s", path, data[10:start]))
	}
	dim, _ := strconv.Atoi(head[2])
	values := make([]float32, (len(data)-start)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[start+4*i:]))
	}
	return Rows{values, dim}
}

func seconds(who int) float64 {
	var usage syscall.Rusage
	Check(syscall.Getrusage(who, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) * 1e-9
}

func statusKb(name string) int {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == name {
			kb, _ := strconv.Atoi(fields[1])
			return kb
		}
	}
	return 0
}

func tell(line map[string]any) {
	text, err := json.Marshal(line)
	Check(err)
	fmt.Println(string(text))
}

// pass answers all queries; the processor time is this thread's, or all of the process's when
// others (the collector) did a good part of the work.
func pass(p Peer, queries Rows, ids []int32) ([]int32, float64) {
	ids = ids[:0]
	thread, process := seconds(rusageThread), seconds(syscall.RUSAGE_SELF)
	for q := range queries.Count() {
		ids = p.Search(queries.Row(q), ids)
		for len(ids) < (q+1)*K {
			ids = append(ids, -1)
		}
	}
	thread, process = seconds(rusageThread)-thread, seconds(syscall.RUSAGE_SELF)-process
	if process > 1.2*thread {
		return ids, process
	}
	return ids, thread
}

func serve(p Peer, path string, queries Rows, idsPath string) {
	before := statusKb("VmRSS:")
	p.Open(path)
	runtime.GC()
	tell(map[string]any{"before_kb": before, "resident_kb": statusKb("VmRSS:")})
	var ids []int32
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var ef, passes int
		_, err := fmt.Sscan(lines.Text(), &ef, &passes)
		Check(err)
		p.SetEf(ef)
		var warm float64
		ids, warm = pass(p, queries, ids)
		bytes := make([]byte, 0, 4*len(ids))
		for _, id := range ids {
			bytes = binary.LittleEndian.AppendUint32(bytes, uint32(id))
		}
		Check(os.WriteFile(idsPath, bytes, 0o666))
		if warm > slowSeconds {
			passes = min(passes, 1)
		}
		times := make([]float64, passes)
		for i := range times {
			ids, times[i] = pass(p, queries, ids)
		}
		tell(map[string]any{"ef": ef, "cpu_s": times, "resident_kb": statusKb("VmRSS:")})
	}
}

// Run is a peer's main function.
func Run(make func(job Job) Peer) {
	runtime.LockOSThread()
	words := os.Args[1:]
	if len(words) < 7 {
		Check(fmt.Errorf("usage: build|serve METRIC FOLDER M EF_BUILD OPTION ROWS [IDS]"))
	}
	m, err := strconv.Atoi(words[3])
	Check(err)
	efBuild, err := strconv.Atoi(words[4])
	Check(err)
	p := make(Job{words[1] == "l2", m, efBuild, words[5]})
	path := filepath.Join(words[2], "index")
	if words[0] == "serve" {
		serve(p, path, readNpy(words[6]), words[7])
		return
	}
	data := readNpy(words[6])
	start := seconds(syscall.RUSAGE_SELF)
	p.Build(data)
	cpu := seconds(syscall.RUSAGE_SELF) - start
	tell(map[string]any{"cpu_s": cpu, "peak_kb": statusKb("VmHWM:")})
	p.Save(path)
}
