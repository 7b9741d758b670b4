# Telraam: hourly reports of a segment of road. Counts are extrapolated from the time that the camera saw (uptime) and
# therefore not whole; below half of the hour they are guesses and are left out. Each kind of road user is a thing of its
# own, both directions together: _lft and _rgt depend on the side of the street that the camera hangs at. date is the start
# of the hour.
include "oudp";

def kinds: {"car": "car", "bike": "bicycle", "heavy": "lorry"};  # lorry in older answers
def report:
  ([.segment_id, .instance_id | number | select(. > 0)] | .[0]) as $id | ([.date | utc_time] | .[0]) as $time
    | ([.uptime | number] | .[0]) as $uptime
  | if $id == null then {refused: "no segment"}
    elif $time == null then {refused: "no time that can be read"}
    elif $uptime == null or $uptime < 0.5 then {ignored: "the camera saw less than half of the hour"}
    else
      ("telraam-" + ($id | tostring)) as $thing | . as $r
      | [kinds | to_entries[] | . as $k | ([$r[$k.key] // (if $k.key == "heavy" then $r.lorry else null end) | number
        | select(. >= 0)] | .[0]) as $n | select($n != null)
          | {topic: (topic("city/traffic") + $thing + "-" + $k.key),
             payload: ({dateObserved: $time, intensity: ($n | rounded), vehicleType: $k.value, reliability: $uptime,
               source: "https://telraam.net"}
               + (if $k.key == "car" then member("v85"; $r.v85 | number | select(. > 0)) else {} end))}]
        + [$r.pedestrian | number | select(. >= 0) | {topic: (($settings["crowd"] // "city/crowd") + "/" + $thing),
          payload: {dateObserved: $time, peopleCount: (. | round), reliability: $uptime, source: "https://telraam.net"}}]
      | if length == 0 then {ignored: "no counts"} else . end
    end;

if type != "object" then {refused: "no answer of Telraam"}
elif (.status_code // 200 | tostring) != "200" then {refused: ("Telraam answers " + (.status_code | tostring) + ": "
  + (.message // .errorMessage // "" | tostring))}
elif (.report | type) == "array" then [.report[] | objects | each(report)] | if length == 0 then {ignored: "an empty report"}
  else . end
elif has("segment_id") and has("date") then each(report)
else {refused: "no report"} end
