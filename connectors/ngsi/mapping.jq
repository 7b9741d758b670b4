# NGSI: entities of Smart Data Models in each of their shapes - key-values, normalized, concise and GeoJSON of NGSI-LD,
# normalized of NGSIv2 - alone, in an array, or in a notification ({data: [...]}). What comes out is key-values, which is
# what the shared schemas are for; numbers whose unitCode is another than the schema's are converted, or left out where that
# cannot be done.
include "oudp";
include "measure";

# type: [setting, topic, thing of the payload]
def types: {
  "AirQualityObserved": ["air", "city/air"], "NoiseLevelObserved": ["noise", "city/noise"],
  "WeatherObserved": ["weather", "city/weather"], "WaterObserved": ["water", "city/water"],
  "PhreaticObserved": ["groundwater", "city/groundwater"], "TrafficFlowObserved": ["traffic", "city/traffic"],
  "CrowdFlowObserved": ["crowd", "city/crowd"], "OffStreetParking": ["parking", "city/parking"],
  "ParkingSpot": ["parking-spot", "city/parking-spot"], "EVChargingStation": ["charging", "city/charging"],
  "WasteContainer": ["waste", "city/waste"], "Streetlight": ["lighting", "city/lighting"],
  "DeviceMeasurement": ["device", "city/device"], "EnvironmentObserved": ["environment", "city/environment"],
    "FloodMonitoring": ["flood", "city/flood"]};
# Which members' units the schemas fix, in UCUM.
def units: (["pm1", "pm25", "pm4", "pm10", "tsp", "no", "no2", "nox", "o3", "so2", "co", "nh3", "sh2", "c6h6"]
  | map({(.): "ug/m3"}) | add)
  + {"co2": "[ppm]", "temperature": "Cel", "dewPoint": "Cel", "feelsLikeTemperature": "Cel", "relativeHumidity": "1",
    "atmosphericPressure": "hPa", "windSpeed": "m/s", "gustSpeed": "m/s", "waterLevel": "m", "height": "m",
    "currentLevel": "m", "measuredDistance": "m", "averageVehicleSpeed": "km/h", "snowHeight": "cm", "fillingLevel": "1",
    "batteryLevel": "1", "occupancy": "1",
       "illuminanceLevel": "1", "visibility": "m", "precipitation": "mm"};
# UN/CEFACT common codes.
def code: {"GQ": "ug/m3", "GP": "mg/m3", "CEL": "Cel", "KEL": "K", "FAH": "[degF]", "P1": "%", "C62": "1", "A97": "hPa",
  "HPA": "hPa", "PAL": "Pa", "KPA": "kPa", "MTS": "m/s", "KMH": "km/h", "KNT": "[kn_i]", "MTR": "m", "CMT": "cm",
  "MMT": "mm", "LUX": "lx", "2N": "dB", "59": "[ppm]", "61": "[ppb]", "DD": "deg", "SEC": "s", "MIN": "min", "KGM": "kg",
  "M1": "mg/L",
    "H77": "mm"}[.] // .;
def to_unit($to): if .u == "[kn_i]" and $to == "m/s" then .n * 0.514444444 | rounded elif .u == "m/s" and $to == "km/h"
  then .n * 3.6 | rounded elif .u == "[kn_i]" and $to == "km/h" then .n * 1.852 | rounded else in_unit($to) end;

def plain_value: if type == "object" and has("@value") then .["@value"] elif type == "object"
  and (.type == "Property" or .type == "DateTime" or .type == "Date") and has("value") then .value else . end;
# An attribute in any shape as {value, unit, at}; null where it is key-values already. Exactly one result: it is reduced
# over.
def first_of(f): [f] | .[0];
def attribute: if type != "object" then null
  elif .type == "Relationship" then {value: (.object // .value)}
  elif .type == "GeoProperty" then {value}
  elif .type == "LanguageProperty" then {value: (.languageMap | if type == "object" then .nl // .en // (to_entries[0].value)
    else . end)}
  elif .type == "VocabProperty" then {value: .vocab}
  elif .type == "ListProperty" then {value: .valueList}
  elif has("value") then {value: (.value | plain_value), unit: (.unitCode
    // first_of(.metadata | objects | .unitCode | if type == "object" then .value else . end)),
                          at: (.observedAt // first_of(.metadata | objects | .TimeInstant // .timestamp // .dateModified | objects | .value))}
  elif has("object") and (keys - ["object", "observedAt", "type", "objectType"] == []) then {value: .object}
  elif has("@value") then {value: .["@value"]}
  else null end;

# Several instances of a Property differ in datasetId; the one without is what it is by default.
def one_instance: if type == "array" and length > 0 and all(.[]; type == "object" and .type == "Property")
  then (map(select(.datasetId == null)) + .)[0] else . end;

# Members that are objects in key-values, however much they look like attributes.
def is_plain($k): $k == "id" or $k == "type" or $k == "@context";
def flat: reduce to_entries[] as $e ({}; if is_plain($e.key) then .[$e.key] = $e.value
    elif ($e.value | type) == "array" and ($e.value | length) > 0 and ($e.value[0] | type) == "object"
      and ($e.value[0] | has("type") and (has("value") or has("object"))) and ($e.value[0].type != "Property") then .[$e.key]
        = [$e.value[] | attribute.value]
    else ($e.value | one_instance | attribute) as $a
      | if $a == null or ($e.key == "location" and $e.value.type != "GeoProperty" and $e.value.value == null)
        then .[$e.key] = $e.value
        else (units[$e.key]) as $to | ($a.unit | if type == "string" then code else null end) as $u
          | if ($a.value | type) == "number" and $to != null and $u != null and $u != $to then
              ([{n: $a.value, u: $u} | to_unit($to)] | .[0]) as $n | if $n == null then . else .[$e.key] = $n end
            else .[$e.key] = $a.value end
          | if $a.at and (._at == null or $a.at > ._at) then ._at = $a.at else . end end end);

# The name after the type in an identifier: urn:ngsi-ld:AirQualityObserved:NL-10 is NL-10.
# One that holds a time names a record: the thing is what stands before it.
def id_name($type): tostring | sub("^ur[ni]:ngsi(-ld)?:[^:]+:"; "") | sub("^" + $type + "[-:.]"; "") | . as $s
  | sub("[-_:.]?[0-9]{4}-[0-9]{2}-[0-9]{2}([T_ ].*)?$"; "") | if . == "" then $s else . end;
# Names of the first generation of the models; CO is not among them, for its unit was another.
def renamed: with_entries(.key |= ({"NO": "no", "NO2": "no2", "NOx": "nox", "SO2": "so2", "O3": "o3", "PM10": "pm10",
  "PM25": "pm25", "PM2.5": "pm25", "PM1": "pm1"}[.] // .));
def time_members: ["dateObserved", "observationDateTime", "dateObservedFrom", "occupancyModified", "TimeInstant",
  "timeInstant", "dateModified", "binLoggedTime"];

def entity:
  (if .type == "Feature" and (.properties | type) == "object" then .properties + {id: (.id // .properties.id)}
    + (if .geometry then {location: .geometry} else {} end) else . end)
  | (.type | if type == "array" then .[0] elif type == "object" then .value else . end | if type == "string"
    then sub("^.*[/#]"; "") else . end) as $type
  | if ($type | type) != "string" then {refused: "no type of an entity"}
    elif types[$type] == null then {ignored: ("no shared schema for " + $type)}
    elif .id == null then {refused: "no id of an entity"}
    else
      (.id | id_name($type)) as $id
      | del(.["@context"]) | .type = $type | (if $type == "AirQualityObserved" then renamed else . end) | flat
      | (if (any(time_members[] as $m | .[$m]; . != null) | not) and ._at != null then .dateObserved = ._at else . end)
        | del(._at)
      # what is null says nothing; a schema would refuse it
      | with_entries(select(.value != null and .value != "urn:ngsi-ld:null"))
      | types[$type] as $t
      # The thing is what the payload says, as it is, so that both agree; else the entity.
      | ([.stationCode, .stationID, .refRoadSegment, .refPointOfInterest, .refDevice | strings | select(. != "")] | .[0]
        // $id | gsub("[/+#\\s]"; "-")) as $thing
      | (if any(.stationCode, .stationID, .refRoadSegment, .refPointOfInterest, .refDevice; type == "string"
        and test("[/+#\\s]"))
         then with_entries(if (.key | test("^(stationCode|stationID|refRoadSegment|refPointOfInterest|refDevice)$"))
           and (.value | type) == "string" then .value |= gsub("[/+#\\s]"; "-") else . end) else . end)
      | {topic: (($settings[$t[0]] // $t[1]) + "/" + $thing), payload: .}
    end;

def rows: if type == "array" then .[] elif type == "object" and (.["@graph"] | type) == "array" then .["@graph"][]
  elif type == "object" and .type == "Notification" and (.data | type) == "object" then .data | (.features[]? // .) elif type == "object" and (.data | type) == "array"
  and (has("subscriptionId") or .type == "Notification") then .data[]
  elif type == "object" and .type == "FeatureCollection" then .features[]? else . end;
[rows | if type == "object" then each(entity) else {refused: "no entity"} end] | if length == 0
  then {ignored: "nobody in the notification"} else . end
