# NPR (SPDP v2), the dynamic answer of one car park. The source serves numbers that are years old and
# more free places than there are: the first go to the broker with their own time, which refuses them
# as too old; the second are refused here.
include "oudp";

# Some garages write their booleans as texts.
def is($word): tostring | ascii_downcase == $word;
def record: (.parkingFacilityDynamicInformation // .) as $d
| ($d.facilityActualStatus) as $s
| ($d.identifier // $d.uuid) as $id
| if ($s | type) != "object" or ($id | type) != "string" then {refused: "no state of a car park"}
  elif $id == "00000000-0000-0000-0000-000000000000" then {ignored: "the nil identifier"}
  else
    ([$s.lastUpdated | epoch_time] | .[0]) as $time
    | ([$s.vacantSpaces | number | select(. >= 0)] | .[0]) as $free | ([$s.parkingCapacity | number | select(. > 0)] | .[0]) as $all
    | if $time == null then {refused: "no time that can be read"}
      elif $free != null and $all != null and $free > $all then {refused: "more free places than there are"}
      elif $free == null and $all == null then {ignored: "neither free places nor capacity"}
      else {topic: (topic("city/parking") + ($id | topic_level)),
            payload: ({dateObserved: $time} + member("availableSpotNumber"; $free) + member("totalSpotNumber"; $all)
              + member("name"; $d.name)
              + member("status"; if $s.open | is("false") then "closed" elif ($s.full | is("true")) and $free == 0 then "full"
                                 elif $s.open | is("true") then "open" else empty end))}
      end
  end;
each(record)
