# Netatmo weather stations: getpublicdata (times are keys, values stand by the position of their type) and getstationsdata
# of one's own. Rain and wind have shapes of their own; wind is in km/h. Modules are things, by their address. Indoor
# modules are not taken.
include "oudp";

def address: "netatmo-" + (ascii_downcase | gsub(":"; ""));
def weather($thing; $time; $base; $values): if $values == {} or $time == null then {ignored: "no value that we know"}
  else {topic: (topic("city/weather") + ($thing | address)), payload: ({dateObserved: $time,
    source: "https://www.netatmo.com"} + $base + $values)} end;
def kmh_to_ms: number | select(. >= 0) | . / 3.6 | rounded;
def angle: number | select(. >= 0 and . <= 360);

def public: .place as $p | member("location"; point($p.location[0]; $p.location[1])) as $base
  | .measures // {} | to_entries[] | .key as $mac | .value
  | if (.res | type) == "object" then .type as $types
      | .res | to_entries[] | (.key | epoch_time) as $time | .value as $v
      | weather($mac; $time; $base; [range($types | length) as $i | ($v[$i] | number) as $n
          | if $types[$i] == "temperature" then {temperature: $n} elif $types[$i] == "humidity"
            then {relativeHumidity: ($n / 100 | rounded)} elif $types[$i] == "pressure" then {atmosphericPressure: $n}
            else {} end] | add // {})
    elif has("rain_timeutc") then weather($mac; [.rain_timeutc | epoch_time] | .[0]; $base;
      member("precipitation"; .rain_60min | number | rounded))
    elif has("wind_timeutc") then weather($mac; [.wind_timeutc | epoch_time] | .[0]; $base;
      member("windSpeed"; .wind_strength | kmh_to_ms) + member("windDirection"; .wind_angle | angle)
        + member("gustSpeed"; .gust_strength | kmh_to_ms))
    else {ignored: "a module of another kind"} end;

# [lon, lat] in the public answer, and in one's own too; some recordings have them the other way, which cannot be told.
def own($place): (.dashboard_data | objects) as $d | ([$d.time_utc | epoch_time] | .[0]) as $time
  | if .type == "NAModule1" then weather(._id; $time; $place; member("temperature"; $d.Temperature | number)
    + member("relativeHumidity"; $d.Humidity | number | . / 100 | rounded))
    elif .type == "NAModule2" then weather(._id; $time; $place; member("windSpeed"; $d.WindStrength | kmh_to_ms)
      + member("windDirection"; $d.WindAngle | angle) + member("gustSpeed"; $d.GustStrength | kmh_to_ms))
    elif .type == "NAModule3" then weather(._id; $time; $place; member("precipitation"; $d.sum_rain_1 | number | rounded))
    elif .type == "NAMain" then weather(._id; $time; $place; member("atmosphericPressure"; $d.Pressure | number))
    else {ignored: "indoors"} end;

if type != "object" then {refused: "no answer of Netatmo"}
elif .error or (.status // "ok") != "ok" then {refused: ("Netatmo answers: "
  + ((.error.message? // .error // .status) | tostring))}
elif (.body | type) == "array" then [.body[] | objects | each(public)] | if length == 0 then {ignored: "no stations"} else . end
elif (.body.devices? | type) == "array" then
  [.body.devices[] | each(member("location"; point(.place.location[0]; .place.location[1])) as $place | (., (.modules // [])[])
    | if (.dashboard_data | type) == "object" then own($place) else {ignored: "not reachable"} end)]
else {ignored: "no measurements of stations"} end
