# Travel times of Amsterdam: GeoJSON, a section of road for each feature. Velocity is in km/h, Traveltime in seconds; a
# section without them was not measured. Timestamp is of the block's zone where it has no offset.
include "oudp";

def section: .properties as $p
  | ([$p.Timestamp | utc_time] | .[0]) as $time | ([$p.Velocity | number | select(. > 0)] | .[0]) as $v
    | ([$p.Traveltime | number | select(. > 0)] | .[0]) as $t
  | if ($p.Id | type) != "string" then {refused: "no section"}
    elif $time == null then {refused: "no time that can be read"}
    elif $v == null then {ignored: "not measured"}
    else {topic: (topic("city/traffic") + ("ams-" + $p.Id | topic_level)),
          payload: ({dateObserved: $time, averageVehicleSpeed: $v, source: "https://data.amsterdam.nl"}
            + member("travelTime"; $t) + member("name"; $p.Name | strings) + member("location"; .geometry | objects))} end;
if type == "object" and (.features | type) == "array" then [.features[] | each(section)] elif type == "object"
  and (.properties | type) == "object" then each(section) else {refused: "no GeoJSON"} end
