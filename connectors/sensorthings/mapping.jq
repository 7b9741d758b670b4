# OGC SensorThings, and RIVM's Samen Meten first of all: Things, Datastreams or Observations with what belongs to them
# expanded.
# Samen Meten names a datastream STATION-N-FORMULA; "_kal" at the end is the calibrated series of the same quantity: it is a
# thing of its own, STATION-kal, so that raw and calibrated stand side by side. Concentrations go to air quality, weather to
# weather; what has another quantity becomes a measurement of a device. A result without a unit that is known is ignored.
include "oudp";
include "measure";

def formulas: {"pm25": ["air", "pm25"], "pm2.5": ["air", "pm25"], "pm10": ["air", "pm10"], "pm1": ["air", "pm1"],
  "no2": ["air", "no2"], "no": ["air", "no"], "o3": ["air", "o3"], "nh3": ["air", "nh3"], "so2": ["air", "so2"],
  "co": ["air", "co"], "co2": ["air", "co2"], "temp": ["weather", "temperature"],
  "temperature": ["weather", "temperature"], "t": ["weather", "temperature"], "rh": ["weather", "relativeHumidity"],
  "humidity": ["weather", "relativeHumidity"], "rhumidity": ["weather", "relativeHumidity"],
  "pres": ["weather", "atmosphericPressure"], "pressure": ["weather", "atmosphericPressure"],
    "druk": ["weather", "atmosphericPressure"], "wind": ["weather", "windSpeed"]};
def unit_of: {"pm25": "ug/m3", "pm10": "ug/m3", "pm1": "ug/m3", "no2": "ug/m3", "no": "ug/m3", "o3": "ug/m3",
  "nh3": "ug/m3", "so2": "ug/m3", "co": "ug/m3", "co2": "[ppm]",
  "temperature": "Cel", "relativeHumidity": "1", "atmosphericPressure": "hPa", "windSpeed": "m/s"};

# an interval ends when it was observed
def instant: if type == "string" then (split("/") | .[-1] | utc_time) else empty end;
def thing_name($t): ($t.name // $t.properties.station // (if $t["@iot.id"] then "thing-" + ($t["@iot.id"] | tostring)
  else null end));
def place($t): [$t.Locations | several | .location | objects | if .type == "Feature" then .geometry else . end | objects
  | select((.type | if type == "string" then ascii_downcase else "" end) == "point") | point(.coordinates[0]; .coordinates[1])] | .[0];
# {quantity, calibrated} of a datastream: by its name where that is one of Samen Meten, else by its observed property.
def quantity($ds; $thing):
  (($ds.description // $ds.name // "") | tostring) as $d | (($ds.name // $ds.description // "") | tostring) as $n
  | ([($n, $d) | capture("^(?<s>.+)-(?<i>[0-9]+)-(?<f>[A-Za-z0-9.]+?)(?<k>_kal)?$")?] | .[0]) as $c
  | if $c then {station: $c.s, formula: ($c.f // "" | ascii_downcase), kal: ($c.k != null)}
    else {station: null, kal: ($n | test("_kal|calibrated|gekalibreerd"; "i")),
      formula: (($ds.ObservedProperty.name // ($n | sub("_kal$"; ""))) | tostring | ascii_downcase
      | gsub("[ _-]"; ""))} end;

def observation($o; $ds; $t):
  ([($o.phenomenonTime, $o.resultTime) | instant] | .[0]) as $time
  | quantity($ds; $t) as $q
  | ((thing_name($t // {}) // $q.station // (if $ds["@iot.id"] then "datastream-" + ($ds["@iot.id"] | tostring)
    else null end)) | if . == null then null else . + (if $q.kal then "-kal" else "" end) end) as $thing
  | ([$o.result | number_not([-999, -9999])] | .[0]) as $v
  | ($ds.unitOfMeasurement // {} | .symbol // .name // null | if type == "string" then gsub("µ|μ"; "u") | ucum
    else null end) as $u
  | formulas[$q.formula] as $hit
  | if $time == null then {refused: "no time that can be read"}
    elif $thing == null then {refused: "no thing: expand Datastream and Thing"}
    elif $v == null then {ignored: "no value"}
    else
      ({dateObserved: $time} + member("location"; place($t // {}))) as $base
      | if $hit == null then
          ([{($q.formula): (if $u then {value: $v, unit: $u} else $v end)} | values_of[]]) as $values
          | if ($q.formula == "") or $u == null then {ignored: "a quantity or unit that is not known"}
            else messages($settings["device"] // "city/device" | . + "/"; $thing; $base; $values) end
        else
          ([{n: $v, u: $u} | in_unit(unit_of[$hit[1]])] | .[0]) as $n
          | if $u == null and $hit[0] == "air" then {ignored: "a concentration without a unit"}
            elif $n == null then {ignored: ("a unit that is not converted: " + $u)}
            else {topic: (($settings[$hit[0]] // ("city/" + $hit[0])) + "/" + ($thing | topic_level)),
                  payload: ($base + {($hit[1]): (if $n < 0 and $n > -5 and $hit[0] == "air" then 0 else $n end)}
                    + (if ($settings["source"] // "") != "" then {source: $settings["source"]} else {} end))} end
        end
    end;

def datastream($ds; $t): if ($ds.Observations | type) == "array" then $ds.Observations[] | observation(.; $ds; $t)
  else empty end;
def rows: if type == "object" and (.value | type) == "array" then .value[] elif type == "array" then .[] else . end;
def row: if type != "object" then {refused: "no entity of SensorThings"}
  elif (.Datastreams | type) == "array" then . as $t | [$t.Datastreams[] | datastream(.; $t)] | if length == 0
    then {ignored: "a thing without observations"} else .[] end
  elif has("Observations") and (has("unitOfMeasurement") or has("ObservedProperty")) then datastream(.; .Thing)
  elif has("result") and (.Datastream | type) == "object" then observation(.; .Datastream; .Datastream.Thing)
  elif has("result") then {refused: "an observation alone: expand Datastream and Thing"}
  else {ignored: "no observations"} end;
[rows | each(row)]
