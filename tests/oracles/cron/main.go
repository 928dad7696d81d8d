// Asks robfig/cron, by which the CronJob controller reads schedules: a JSON line [schedule, zone, start in seconds] in,
// a JSON line with the next 50 starts in seconds, or null where the schedule is refused, out.
package main

import (
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/robfig/cron/v3"
)

const starts = 50

type question struct {
	schedule, zone string
	start          int64
}

func (q *question) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&q.schedule, &q.zone, &q.start})
}

func answer(asked question) (found []int64) {
	// A zone with nothing behind it is a panic in robfig/cron. Kubernetes refuses such a schedule.
	defer func() {
		if recover() != nil {
			found = nil
		}
	}()
	schedule, err := cron.ParseStandard(asked.schedule)
	if err != nil {
		return nil
	}
	zone, err := time.LoadLocation(asked.zone)
	if err != nil {
		log.Fatal(err)
	}
	found = []int64{}
	for moment := time.Unix(asked.start, 0).In(zone); len(found) < starts; {
		// Where Python's calendar ends.
		if moment = schedule.Next(moment); moment.IsZero() || moment.UTC().Year() > 9998 {
			break
		}
		found = append(found, moment.Unix())
	}
	return found
}

func main() {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for in.More() {
		var asked question
		if err := in.Decode(&asked); err != nil {
			log.Fatal(err)
		}
		if err := out.Encode(answer(asked)); err != nil {
			log.Fatal(err)
		}
	}
}
