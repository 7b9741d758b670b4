# Luchtmeetnet, /open_api/measurements: one value an element. Each component is a message about its
# station: the broker's series are by member. Values a little below zero are valid there and here not
# (a concentration is 0 or more): they are 0 when they are within the noise, else refused by the schema.
include "oudp";

def record: {"PM25": "pm25", "PM10": "pm10", "NO2": "no2", "NO": "no", "NOX": "nox", "O3": "o3", "SO2": "so2", "CO": "co",
 "NH3": "nh3", "H2S": "sh2", "C6H6": "c6h6"} as $members
| if (.station_number | type) != "string" or (.formula | type) != "string" then {refused: "no station and formula"}
  elif $members[.formula] == null then {ignored: ("no member for " + .formula)}
  else
    ([.timestamp_measured | utc_time] | .[0]) as $time | ([.value | number_not([-999, -9999, -99.9])] | .[0]) as $value
    | if $time == null then {refused: "no time that can be read"}
      elif $value == null then {ignored: "no value"}
      else {topic: (topic("city/air") + ("nl-" + .station_number | topic_level)),
            payload: {dateObserved: $time, ($members[.formula]): (if $value < 0 and $value > -5 then 0 else $value end),
                      source: "https://www.luchtmeetnet.nl"}}
      end
  end;
each(record)
