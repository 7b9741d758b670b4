# KNMI's EDR API: CoverageJSON, a Coverage or a CoverageCollection of stations in time. Each station and time is a message
# of weather-observed. Names are KNMI's (ta, rh, pp ...) or standard names; units those that the parameters state. The
# station is its WIGOS identifier. null is no value. Grids are read too, each point a thing of its own.
include "oudp";
include "measure";

# parameter: [member, unit]
def parameters: {"ta": ["temperature", "Cel"], "td": ["dewPoint", "Cel"], "rh": ["relativeHumidity", "1"],
  "pp": ["atmosphericPressure", "hPa"], "ff": ["windSpeed", "m/s"], "gff": ["gustSpeed", "m/s"],
  "fx": ["gustSpeed", "m/s"], "dd": ["windDirection", "deg"], "rg": ["precipitation", "mm/h"],
  "qg": ["solarRadiation", "W/m2"], "hsnow": ["snowHeight", "cm"], "air_temperature": ["temperature", "Cel"],
  "dew_point_temperature": ["dewPoint", "Cel"], "relative_humidity": ["relativeHumidity", "1"],
  "air_pressure_at_mean_sea_level": ["atmosphericPressure", "hPa"],
  "air_pressure_at_sea_level": ["atmosphericPressure", "hPa"], "wind_speed": ["windSpeed", "m/s"],
  "wind_speed_of_gust": ["gustSpeed", "m/s"], "wind_from_direction": ["windDirection", "deg"],
  "rainfall_rate": ["precipitation", "mm/h"],
    "surface_downwelling_shortwave_flux_in_air": ["solarRadiation", "W/m2"]};
def symbol: .unit.symbol | if type == "object" then .value else . end | if . == null then null
  else ({"°C": "Cel", "degC": "Cel", "°": "deg", "degree": "deg", "m s-1": "m/s", "W m-2": "W/m2", "W/m²": "W/m2",
  "mm h-1": "mm/h", "mm/hr": "mm/h", "kg m-2 h-1": "mm/h"}[.] // ucum) end;
# E-SOH names a parameter by standard name, height, method and period: air_temperature:2.0:mean:PT10M
def hit($key; $p): parameters[$key] // parameters[$key | split(":") | .[0]]
  // (($p.observedProperty.id // "") | split("/") | map(select(. != "")) | .[-1] | if . then parameters[.] else null end);

# of ten minutes, which are L/m2
def converted($v; $from; $to): if $from == "mm/h" or ($from == null and $to == "mm/h") then $v / 6
  elif $to == "mm/h" then empty else ({n: $v, u: $from} | in_unit($to)) end | rounded;

def stride($names; $shape): reduce range($names | length - 1; -1; -1) as $i ({s: 1, o: {}}; .o[$names[$i] | tostring] = .s
  | .s *= ($shape[$i] // 1)) | .o;
def axis($a): if $a == null then null elif ($a.values | type) == "array" then $a.values
  elif all($a.num, $a.start, $a.stop; type == "number") and $a.num <= 100000 then [range($a.num) | $a.start
    + (if $a.num > 1 then . * ($a.stop - $a.start) / ($a.num - 1) else 0 end)] else null end;

# Where and when the values of a range stand: points [[x, y], ...] and times. A domain has an axis for each coordinate, or
# one axis of points (composite), which then may have the time in it too.
def places($axes): ($axes.composite | objects | select((.values | type) == "array")) as $c
  | ($c.coordinates // ["x", "y"]) as $names | ($names | index("x")) as $x | ($names | index("y")) as $y
  | if $x == null or $y == null then empty else [$c.values[] | [.[$x], .[$y]]] end;
def domain: (.domain | objects | .axes | objects) as $axes
  | if $axes.composite then {points: places($axes), axis: "composite"}
    else {xs: (axis($axes.x) // [null]), ys: (axis($axes.y) // [null])} end
  | .times = (axis($axes.t) // []);

def station: ([.["eumetnet:locationId"], .["custom:locationId"], .["rodeo:wigosId"], .["oudp:id"],
  (.id | strings | split("/") | .[-1])] | map(select(. != null and . != ""))) | .[0];

def coverage($parameters):
  . as $c | (.parameters // $parameters // {}) as $ps | ([domain] | .[0]) as $d | station as $station
  | if (.domain | type) == "string" then {refused: "a coverage whose domain stands elsewhere"}
    elif $d == null or ($d.times | length) == 0 then {ignored: "a coverage without times"}
    elif ($c.ranges | type) != "object" then {refused: "a coverage without ranges"}
    elif any($c.ranges[]; type != "object" or .type == "TiledNdArray")
      then {refused: "a coverage whose values stand elsewhere"}
    else
      [$c.ranges | to_entries[] | hit(.key; $ps[.key] // {}) as $h
        | select($h != null and (.value.values | type) == "array")
          | {m: $h[0], to: $h[1], from: ($ps[.key] // {} | symbol), v: .value.values,
            s: stride(.value.axisNames // ["t"]; .value.shape // [.value.values | length])}] as $ranges
      | (if $d.points then [range($d.points | length) | {at: {composite: .}, p: $d.points[.]}]
         else [range($d.xs | length) as $xi | range($d.ys | length) as $yi | {at: {x: $xi, y: $yi}, p: [$d.xs[$xi], $d.ys[$yi]]}]
         end) as $points
      | [range($d.times | length) as $ti | ([$d.times[$ti] | utc_time] | .[0]) as $time | $points[] as $p
          | ([$ranges[] | . as $r
              | $r.v[$ti * ($r.s.t // 0) + ([$p.at | to_entries[] | .value * ($r.s[.key] // 0)] | add)]
              | number_not([-999, -9999]) | {($r.m): converted(.; $r.from; $r.to)}] | add // {}) as $values
          | if $values == {} then empty
            elif $time == null then {refused: "no time that can be read"}
            else
              (if ($points | length) > 1 or $station == null then "point-" + ($p.p | map(tostring) | join("-"))
                else $station end) as $thing
              | {topic: (topic("city/weather") + ($thing | topic_level)),
                payload: ({dateObserved: $time, source: ($settings["source"] // "https://dataplatform.knmi.nl")}
                + member("location"; point($p.p[0]; $p.p[1])) + $values)}
            end]
      | if length == 0 then {ignored: "no value that we know"} else . end
    end;

# E-SOH's messages, over MQTT: GeoJSON with one value, a text.
def message: .properties as $p | ($p.content // {}) as $c
  | parameters[$c.standard_name // ""] as $h
  | ([($p.datetime // $p.phenomenon_time) | utc_time] | .[0]) as $time
    | ([$c.value | number_not([-999, -9999])] | .[0]) as $v
  | if $h == null then {ignored: ("no member for " + ($c.standard_name | tostring))}
    elif $v == null then {ignored: "no value"}
    elif $time == null then {refused: "no time that can be read"}
    else
      ([converted($v; ({unit: {symbol: $c.unit}} | symbol); $h[1])] | .[0]) as $n
      | (($p.platform // $p.station // "") | tostring) as $station
      | if $n == null then {ignored: ("a unit that is not converted: " + ($c.unit | tostring))}
        elif $station == "" then {refused: "no station"}
        else {topic: (topic("city/weather") + ($station | topic_level)),
          payload: ({dateObserved: $time, ($h[0]): $n, source: ($settings["source"] // "https://dataplatform.knmi.nl")}
          + member("location"; .geometry | objects | if (.coordinates | type) == "object"
            then point(.coordinates.lon; .coordinates.lat) else point(.coordinates[0]; .coordinates[1]) end))} end
    end;

if type != "object" then {refused: "no CoverageJSON"}
elif .type == "Feature" and (.properties | if type == "object" then .content else null end | type) == "object" then each(message)
elif .type == "Coverage" then each(coverage(null))
elif .type == "CoverageCollection" then .parameters as $p | [.coverages[]? | each(coverage($p))] | flatten | if length == 0
  then {ignored: "an empty collection"} else . end
else {refused: "no CoverageJSON: ask for f=CoverageJSON"} end
