# OCPI 2.1.1 and 2.2.1 locations, as an operator's API gives them ({data: [...]}), or NDW's file for the whole country (an
# array). A location is a charging station: its EVSEs that are there are its capacity, those AVAILABLE are free. The time is
# that of the newest change. Locations that are not to be published, and EVSEs removed or planned, are left out.
include "oudp";

def sockets: {"IEC_62196_T2": "Type2", "IEC_62196_T2_COMBO": "CCS/SAE", "IEC_62196_T1_COMBO": "CCS/SAE",
  "IEC_62196_T1": "J-1772", "IEC_62196_T3A": "Type3", "IEC_62196_T3C": "Type3", "CHADEMO": "CHAdeMO", "TESLA_R": "Tesla",
  "TESLA_S": "Tesla",
  "DOMESTIC_E": "Wall_Euro", "DOMESTIC_F": "Wall_Euro", "DOMESTIC_C": "Wall_Euro"};
# A time without Z is UTC all the same (OCPI 2.2.1, 16.2), whatever the block's zone.
def ocpi_time: if type == "string" then (if test("([zZ]|[-+][0-9]{2}:?[0-9]{2})$") then . else . + "Z" end) | utc_time
  else empty end;
# Known to happen: 0,0, and latitude and longitude in each other's place, which for the Netherlands shows.
def place: .coordinates | objects | [.longitude, .latitude] | map(number) | select(length == 2)
  | select((.[0] > 50 and .[0] < 54 and .[1] > 3 and .[1] < 8) | not) | point(.[0]; .[1]);
def working: ["AVAILABLE", "CHARGING", "RESERVED", "BLOCKED"];
def broken: ["INOPERATIVE", "OUTOFORDER"];

def location:
  . as $l | ([.evses | several | objects | select(.status != "REMOVED" and .status != "PLANNED")]) as $evses
  | ([.country_code, .party_id, .id | strings | select(. != "")]) as $name
  | if (.id | type) != "string" then {refused: "no location"}
    elif .publish == false then {ignored: "not to be published"}
    elif (.evses | type) != "array" then {ignored: "a part of a location: its EVSEs are not in it"}
    elif ($evses | length) == 0 then {ignored: "nothing but removed and planned EVSEs"}
    else
      ([$l.last_updated, ($evses[].last_updated) | ocpi_time] | max) as $time
      | [$evses[].status] as $states
      | ([$states[] | select(. as $s | (working + broken) | index($s))] | length) as $known
      | ([$states[] | select(. == "AVAILABLE")] | length) as $free
      | ([$states[] | select(. as $s | broken | index($s))] | length) as $bad
      | ([$evses[].connectors | several | .standard | strings | sockets[.] // "Other"] | unique) as $sockets
      | if $time == null then {refused: "no time that can be read"}
        else
          {topic: (topic("city/charging") + ($name | join("-") | topic_level)),
           payload: ({dateObserved: $time, capacity: ($evses | length)}
             + (if $known > 0 then {availableCapacity: $free, status: (if $bad == $known then "outOfService" elif $bad > 0
               then "withIncidence" elif $free == 0 then "full" else "working" end)} else {} end)
             + member("name"; .name | strings | select(. != "")) + member("location"; [place] | .[0])
             + (if ($sockets | length) > 0 then {socketType: $sockets,
               socketNumber: ([$evses[].connectors | several] | length)} else {} end)
             + member("operator"; .operator | objects | .name | strings)
             + member("address"; {streetAddress: .address, addressLocality: .city, postalCode: .postal_code,
               addressCountry: (.country // .country_code)} | with_entries(select(.value != null and .value != ""))
               | select(. != {})))}
        end
    end;

if type == "array" then [.[] | each(location)]
elif type == "object" and has("status_code") then (if (.status_code | type) != "number" or .status_code < 1000 or .status_code >= 2000
  then {refused: ("the operator answers " + (.status_code | tostring) + ": " + (.status_message // "" | tostring))}
  else .data | if type == "array" then [.[] | each(location)] elif type == "object" then each(location)
    else {ignored: "no data"} end end)
elif type == "object" then each(location)
else {refused: "no location"} end
