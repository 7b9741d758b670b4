# SenML packs (RFC 8428), resolved by decoder = senml: each number is a measurement of the thing that the name begins with,
# up to its last ":" or "/". What is measured the end of the name says, or the unit. Names without such an end are the
# thing's. Positions (lat, lon) become the place of the others.
include "oudp";
include "measure";

def by_unit: {"Cel": "temperature", "K": "temperature", "%RH": "humidity", "lx": "illuminance", "dB": "noiseLevel",
  "Pa": "atmosphericPressure", "hPa": "atmosphericPressure", "%EL": "battery", "W": "power", "V": "voltage",
  "A": "current", "Hz": "frequency", "J": "energyJoule", "m3/s": "flow", "pH": "ph",
    "S/m": "conductivityMetre", "W/m2": "irradiance", "mm/h": "precipitationIntensity"};
def senml_unit: if . == "%RH" or . == "%EL" then "%" elif . == "ppm" then "[ppm]" elif . == "/" then "1" elif . == null
  then null else ucum end;
def split_name: . as $n | ([indices(":")[], indices("/")[]] | max) as $i
  | if $i == null then {thing: $n, what: ""} else {thing: $n[:$i], what: $n[$i + 1:]} end;
# urn:dev:ow:10e2073a01080063 without a name after it: the last part is the device.
def parts: split_name | if (.thing | test("^urn:dev:[a-z]+$")) then {thing: (.thing + ":" + .what), what: ""} else . end;

if type != "array" then {refused: "no SenML pack"}
else
  [.[] | (.n | tostring | sub("[:/]+$"; "") | parts) as $p | . + $p] as $all
  | ([$all[] | select(.u == "lat") | .v] | .[0]) as $lat | ([$all[] | select(.u == "lon") | .v] | .[0]) as $lon
  | member("location"; point($lon; $lat)) as $place
  | [$all[] | select(.u != "lat" and .u != "lon" and ((.v | type) == "number" or (.vb | type) == "boolean"
    or (.vs | type) == "string"))
      | (if .what != "" then .what else (by_unit[.u // ""] // "value") end) as $what
      | (.t | floor | todate) as $time
      | if (.vs | type) == "string" and .v == null then
          {topic: (topic("city/device") + (.thing | topic_level)),
            payload: ({dateObserved: $time, refDevice: (.thing | topic_level), controlledProperty: $what, textValue: .vs}
            + $place)}
        else
          (.u | senml_unit) as $u | (if .v != null then .v elif .vb then 1 else 0 end) as $v
          | messages(topic("city/device"); .thing; {dateObserved: $time} + $place;
            {($what): (if $u == null then $v else {value: $v, unit: $u} end)} | values_of)
        end]
  | if length == 0 then {ignored: "no value in the pack"} else . end
end
