# Car parks of cities, in JSON, GeoJSON or CSV of their own: what ParkAPI serves (v1 lots, v3 items) and what some forty
# cities publish says the same under other names. Free places are what counts: an entry without them is ignored. Local times
# are of the block's zone, without a time it is that of receipt. Also DATEX II parking (decoder = xml, records = {
# "parkingRecordStatus", "parkingFacilityStatus" }). The setting prefix stands before the name of the thing, for two cities
# that both have a P1.
include "oudp";

def text: if type == "string" then (gsub("^\\s+|\\s+$"; "") | if . == "" then empty else . end) elif type == "number"
  then tostring else empty end;
def count: number | select(. >= 0) | round;
def pick($o; $names): [$names[] as $n | $o[$n] | select(. != null)];

# The row as one object: what stands in properties, attributes and the like belongs to it.
def levelled: . + ([.properties, .attributes, .actualStatus, .facilityActualStatus, .dynamisch]
  | map(select(type == "object")) | add // {})
  + (.objekt | if type == "object" and .name then {name} else {} end)
  + (if (.capacity | type) == "object" then {capacity: .capacity.car, free: (.free_capacity.car? // null)} else {} end)
  + ([.counters | several | objects | select(.type.type == "TOTAL")] | .[0] // {} | if .maxPlaces
    then {total: .maxPlaces, free: .freePlaces, status: .status} else {} end);
def parsed_time: if type == "number" then (if . > 1e11 then . / 1000 else . end) | floor | todate
  elif type != "string" then empty
  elif test("^[0-9]{13}$") then tonumber / 1000 | floor | todate
  elif test("^[0-9]{10}$") then tonumber | todate
  elif test("^[0-9]{1,2}[.][0-9]{1,2}[.][0-9]{4}[ T]") then
    capture("^(?<d>[0-9]{1,2})[.](?<m>[0-9]{1,2})[.](?<y>[0-9]{4})[ T](?<t>[0-9:]+)$")?
      | (.y + "-" + ("0" + .m)[-2:] + "-" + ("0" + .d)[-2:] + "T" + .t) | utc_time
  else utc_time end;
def place: . as $r | [point(.lon // .lng // .long // .longitude // .locationLon; .lat // .latitude // .locationLat),
  (.coords | objects | point(.lng // .lon; .lat)), (.location | objects
    | point(.lng // .lon // .longitude; .lat // .latitude)), (.position | objects | point(.longitude; .latitude)),
    (.geo_point_2d | objects | point(.lon; .lat)),
  (.geometry | objects | select(.type == "Point") | point(.coordinates[0]; .coordinates[1])),
    (.geometry | objects | point(.x; .y))] | .[0];

# Open, closed, full in the languages that were seen.
def state($free): [pick(.; ["realtime_opening_status", "state", "status", "opening_s", "OpeningState", "obs_state", "open",
  "closed", "geschlossen", "State"])[] | if type == "boolean" then tostring else . end | strings | ascii_downcase] as $words
  | if .open == false or .closed == true or .geschlossen == "T" then "closed"
    elif any($words[]; test("^(closed|geschlossen|zu|dicht|gesloten)")) then "closed"
    elif .full == true and $free == 0 then "full"
    elif $free == 0 then "full"
    elif .open == true or .geschlossen == "F" or any($words[]; test("^(open|ge\u00f6ffnet|offen|auf|many|few|free|ok$)"))
      then "open"
    else null end;

def lot($published):
  levelled | . as $r
  | ([pick($r; ["uid", "lot_id", "obs_parkid", "park_id", "parkingLotId", "facilityId", "logicalUnitId", "id2", "identifier", "id",
    "Id", "ID", "fid", "original_uid"])[] | text] | .[0]) as $id
  | ([pick($r; ["name", "lot_name", "park_name", "parkhaus_name", "parkingLotName", "publicName", "Name", "title", "ort"])[] | text]
    | .[0]) as $name
  | ([pick($r; ["realtime_free_capacity", "num_free", "free", "vacantSpaces", "obs_free", "freie_parkplaetze", "real_fcap",
    "availableSpaceCount", "countFreeLogicalBoxes", "bookable", "kurzparker_frei", "FreeSpaceShort", "freePlaces"])[]
    | count] | .[0]) as $free0
  | ([pick($r; ["realtime_capacity", "max", "total", "parkingCapacity", "obs_max", "gesamte_parkplaetze", "real_capa",
    "totalSpaceCount", "countLogicalBoxes", "sum_boxes", "capacity", "max_cap", "maxcarparkfull", "kurzparker_verfuegbar",
    "ShortCapacity", "Capacity", "Kapazit\u00e4t", "maxPlaces"])[] | count | select(. > 0)] | .[0]) as $all
  | ([pick($r; ["realtime_occupied", "num_occupied", "occupied", "belegt", "occupiedSpaceCount", "currentcarparkfulltotal", "OccupiedSites",
    "occupiedPlaces"])[] | count] | .[0]) as $used
  | (if $free0 != null then $free0 elif $used != null and $all != null and $used <= $all then $all - $used
    else null end) as $free
  | ([pick($r; ["realtime_data_updated_at", "lot_timestamp", "obs_ts", "stand_freieparkplaetze", "published", "PubDate", "valuesFrom",
    "timestamp", "Timestamp", "updated", "time", "lastUpdated"])[], $published, source.received | parsed_time]
    | .[0]) as $time
  | if $r.Type == "guidancesign" or (($name // "") | test("^(dummy|test)\\b"; "i")) then {ignored: "no car park"}
    elif ($r.has_realtime_data == false) or ($r.State // "" | tostring | ascii_downcase) == "error" or $r.state == "nodata"
      or ($r.echtzeit_belegung == "F") then {ignored: "no live numbers"}
    elif ($id // $name) == null then {refused: "no name of a car park"}
    elif $free == null then {ignored: "no free places"}
    elif $all != null and $free > $all then {refused: "more free places than there are"}
    elif $time == null then {refused: "no time that can be read"}
    else
      {topic: (topic("city/parking") + (($settings["prefix"] // "") + ($id // $name) | topic_level)),
       payload: ({dateObserved: $time, availableSpotNumber: $free} + member("totalSpotNumber"; $all) + member("name"; $name)
         + member("status"; state($free)) + member("location"; place))}
    end;

def datex:
  ([.parkingRecordReference, .parkingFacilityReference | objects | .["@id"]] | .[0]) as $id
  | (.parkingOccupancy | if type == "object" then . else {} end) as $o
  | ([$o.parkingNumberOfVacantSpaces, .totalNumberOfVacantParkingSpaces | count] | .[0]) as $free
  | ([$o.parkingNumberOfOccupiedSpaces, .totalNumberOfOccupiedParkingSpaces | count] | .[0]) as $used
  | ([$o.parkingNumberOfSpacesOverride, .totalParkingCapacityOverride, .totalParkingCapacity | count | select(. > 0)]
    | .[0]) as $cap
  | ([.parkingStatusOriginTime, .parkingFacilityStatusTime, (source.head.publicationTime?), source.received | parsed_time]
    | .[0]) as $time
  | ([.parkingSiteOpeningStatus, .parkingSiteStatus, (.parkingFacilityStatus | several) | strings]) as $words
  | if $id == null then {refused: "no reference to a car park"}
    elif $free == null and $used == null then {ignored: "no free places"}
    elif $free == null and $cap == null then {ignored: "occupied places alone"}
    elif $time == null then {refused: "no time that can be read"}
    else
      (if $free != null then $free else $cap - $used end) as $n
      | ($cap // (if $free != null and $used != null and $free + $used > 0 then $free + $used else null end)) as $all
      | if $n < 0 or ($all != null and $n > $all) then {refused: "more free places than there are"}
        else {topic: (topic("city/parking") + (($settings["prefix"] // "") + $id | topic_level)),
              payload: ({dateObserved: $time, availableSpotNumber: $n} + member("totalSpotNumber"; $all)
                + member("status"; if any($words[]; . == "closed" or . == "closedAbnormal") then "closed" elif $n == 0
                  or any($words[]; . == "full") then "full" elif any($words[]; test("^open|spacesAvailable|almostFull"))
                  then "open" else null end))} end
    end;

def rows: if type == "array" then .[]
  elif type != "object" then empty
  else ((.features // .lots // .items // .parkingLots // null) | if type == "array" then . else null end) as $list
    | if $list then $list[]
      elif length > 0 and all(.[]; type == "object") and all(keys[]; test("^[0-9A-Za-z-]+$"))
        and (has("parkingFacilityDynamicInformation") | not) and any(.[]; has("dynamisch") or has("free") or has("name"))
        then to_entries[] | .value + {id: .key}
      else . end end;

if type == "object" and (.["@element"] == "parkingRecordStatus" or .["@element"] == "parkingFacilityStatus") then datex
else
  . as $doc | (if type == "object" and (has("lots") or has("features")) then (.last_updated // .timestamp // null)
    else null end | if ($doc | type) == "object" and ($doc | has("last_downloaded")) and type == "string"
      and test("T[0-9:.]+$") then . + "Z" else . end) as $published  # ParkAPI's own times are UTC without saying so
  | [rows | if type == "object" then each(lot($published)) else {refused: "no entry of a car park"} end]
  | if length == 0 then {ignored: "no car park"} else . end
end
