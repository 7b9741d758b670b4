# NDW's traffic speeds and flows, travel times and measurement sites: DATEX II v2 in a SOAP envelope, and v3. A record is
# one site. Values have an index; what it stands for (lane, vehicles) only the site table of the same version says. With
# that table (tables = { "sites=FILE" }) a lane and kind of vehicles is a thing, SITE-lane1, with flow and speed together;
# without it each index is one, SITE-1. A flow in vehicles per hour is what went by in the period, 60 s unless the table or
# period= says otherwise. Values with dataError are dropped, and so is a speed of vehicles that were not there: -1, or 0 of
# none. sites=REGEX takes only those sites of the country that it fits, bbox=W,S,E,N those within, when the table is made
# (table=make).
include "oudp";

def found($name): [.. | objects | .[$name] | select(. != null)] | .[0];

def period: [($settings["period"] // "60") | tonumber] | .[0];

def site_id: (.measurementSiteReference // .measurementSiteRecordReference // {}) | if type == "object" then .["@id"]
  // .["#text"] else . end;
def when: (.measurementTimeDefault // .measurementOrCalculationTime) | if type == "object" then .timeValue // .["#text"]
  // .period.endOfPeriod else . end | strings | utc_time;

# Each of the country's some hundred thousand values passes here: what nearly all of them are is asked first, and a
# value that says nothing is empty, which costs less than an object without members.
# An element has its number in it, or is the number itself; one with an error says nothing.
def sound(inner): if type == "object" then (if .dataError == null or .dataError == "false" or .dataError == false then inner
  else empty end) else . end;
def used: (.["@numberOfInputValuesUsed"] // .numberOfInputValuesUsed) | [number] | .[0] // 0;
def at_least_0: if type == "string" then (try tonumber catch -1) else number end | if . >= 0 and . < 1e9 then . else empty end;

# The members that one index gives, as far as it has any: v2 wraps a measuredValue in a measuredValue, v3 a
# physicalQuantity in a physicalQuantity. perHour is a flow.
def basic: (if .measuredValue then .measuredValue.basicData elif .physicalQuantity then .physicalQuantity.basicData
    else found("basicData") end)
  | if .vehicleFlow then .vehicleFlow | sound(.vehicleFlowRate) | at_least_0 | {perHour: .}
    elif .averageVehicleSpeed then .averageVehicleSpeed | . as $e | sound(.speed) | at_least_0
      | if . > 0 or ($e | used) > 0 then {averageVehicleSpeed: .} else empty end
    elif .travelTime then .travelTime | sound(.duration // .travelTime) | at_least_0 | select(. > 0) | {travelTime: .}
    elif .occupancy then .occupancy | sound(.percentage) | at_least_0 | {occupancy: (percent_to_share | rounded)}
    elif .averageTimeHeadway then .averageTimeHeadway | sound(.duration) | at_least_0 | {averageHeadwayTime: .}
    elif .averageDistanceHeadway then .averageDistanceHeadway | sound(.distance) | at_least_0 | {averageGapDistance: .}
    else empty end;
# What went by in so many seconds.
def counted($period): if .perHour then .intensity = (.perHour * $period / 3600 | rounded) | del(.perHour) else . end;

def travel_message($thing; $time; $m): {topic: (($settings["device"] // "city/device") + "/" + $thing),
  payload: {dateObserved: $time, refDevice: $thing, controlledProperty: "travelTime", numValue: $m.travelTime, unit: "s",
    source: "https://opendata.ndw.nu"}};

# ---- the table of sites ----
# A record of the table as a message that is not for a broker: --filter makes of the table the file that the setting tables
# names.
def vehicles: if type != "object" then "any"
  elif .lengthCharacteristic then [.lengthCharacteristic | several
    | ({"lessThan": "lt", "lessThanOrEqualTo": "le", "greaterThan": "gt", "greaterThanOrEqualTo": "ge",
    "equalTo": "eq"}[.comparisonOperator] // "") + (.vehicleLength | tostring)] | join("-")
  elif .vehicleType then ([.vehicleType | several] | join("-") | if . == "anyVehicle" then "any" else . end)
  else "any" end;
def in_box($p): $settings["bbox"] as $b | if $b == null then true elif $p == null then false
  else ($b | split(",") | map(tonumber)) as $x | $p.coordinates | .[0] >= $x[0] and .[1] >= $x[1] and .[0] <= $x[2]
    and .[1] <= $x[3] end;
def site:
  (found("locationForDisplay") // found("coordinatesForDisplay") // found("pointCoordinates")) as $at
  | ([$at | objects | point(.longitude; .latitude)] | .[0]) as $place
  | if (.["@id"] | type) != "string" then {refused: "a site without an id"}
    elif $settings["sites"] != null and (.["@id"] | test($settings["sites"]) | not) then {ignored: "another site"}
    elif in_box($place) | not then {ignored: "a site elsewhere"}
    else
      {topic: ("sites/" + .["@id"]),
       payload: ({version: (.["@version"] // "1"), index: ([.measurementSpecificCharacteristics | several
         | (.measurementSpecificCharacteristics // .) as $c
           | {(.["@index"] // "1"): ({lane: ($c.specificLane // $c.specificLaneOrCarriageway // "all" | if type == "object"
             then "lane" + (.laneNumber // "" | tostring) else . end | if startswith("lane") then . else "all" end),
             vehicles: ($c.specificVehicleCharacteristics | vehicles)}
               + ([$c.period | number] | if length > 0 then {period: .[0]} else {} end))}] | add // {})}
         + member("location"; $place) + member("name"; found("measurementSiteName") | found("value") | if type == "object"
           then .["#text"] elif type == "array" then (.[0] | if type == "object" then .["#text"] else . end) else . end))}
    end;

# With a table: one message per lane and kind of vehicles, flow and speed together.
def looked_up($site; $time; $values):
  $tables.sites[$site] as $s
  | if $s == null then {ignored: "a site that is not in the table"}
    elif ($s.version | tostring) != (.measurementSiteReference["@version"] // $s.version | tostring)
      then {refused: "the table of sites is of another version: make it anew"}
    else
      [$values[] | (.["@index"] // "1" | tostring) as $i | $s.index[$i] as $c | select($c != null)
        | {k: ($c.lane + (if $c.vehicles == "any" then "" else "-" + $c.vehicles end)), c: $c,
        m: (basic | counted($c.period // period))}]
      | group_by(.k)
      | [.[] | .[0].c as $c | ([.[].m] | add) as $m0 | (if $m0.intensity == 0 then $m0 | del(.averageVehicleSpeed)
        else $m0 end) as $m
          | ($site + "-" + .[0].k | topic_level) as $thing
          | if $m.travelTime then travel_message($thing; $time; $m)
            else {topic: (topic("city/traffic") + $thing),
                  payload: ({dateObserved: $time, site: $site, source: "https://opendata.ndw.nu"} + $m
                    + member("location"; $s.location) + member("name"; $s.name)
                    + member("laneId"; $c.lane | ltrimstr("lane") | number | select(. >= 1))
                      + (if $c.vehicles == "any" then {} else {vehicleSubType: $c.vehicles} end))} end]
      | if length == 0 then {ignored: "no value that is valid"} else . end
    end;

# ---- measurements ----
def by_index($site; $time; $values): ($site | topic_level) as $level | (period / 3600) as $hours
  | (topic("city/traffic") + $level + "-") as $topic
  | {dateObserved: $time, site: $site, source: "https://opendata.ndw.nu"} as $base
  | [$values[] | (.["@index"] // "1") as $index | basic
      | if .perHour then {topic: ($topic + $index), payload: ($base + {intensity: (.perHour * $hours | rounded)})}
        elif .travelTime then travel_message($level + "-" + $index; $time; .)
        else {topic: ($topic + $index), payload: ($base + .)} end]
  | if length == 0 then {ignored: "no value that is valid"} else . end;

def measurements:
  (site_id) as $site | ([when] | .[0]) as $time
  | if ($site | type) != "string" then {refused: "no reference to a site"}
    elif $settings["sites"] != null and ($site | test($settings["sites"]) | not) then {ignored: "another site"}
    elif $time == null then {refused: "no time that can be read"}
    else ([.physicalQuantity, .measuredValue | several]) as $values
      | if $tables.sites then looked_up($site; $time; $values) else by_index($site; $time; $values) end
    end;

if type != "object" then {refused: "no site"}
elif .["@element"] == "measurementSiteRecord" or .["@element"] == "measurementSite"
  then (if $settings["table"] == "make" then site else {ignored: "the table of sites"} end)
else each(measurements) end
