# Actility ThingPark, by which KPN's LoRa network delivered and others do: DevEUI_uplink as JSON, or as XML with
# decoder = xml and records = { "DevEUI_uplink" }. In KPN's variant all numbers are texts. Times have an offset.
include "oudp";
include "measure";
include "lorawan";

# A driver of ThingPark X puts its points beside the frame: {"payload": {...}} or points of {unitId, record}.
# The points have names and units of an ontology and are taken where there are any.
def points: if (.points | type) == "object" then .points | with_entries(.value |= (if type == "object"
    then {value: ((.records // [])[-1].value // (.record | if type == "object" then .value else . end) // .value),
    unit: .unitId} else . end)) | with_entries(select(.value.value | type == "number" or type == "boolean"))
    | if . == {} then null else . end
  else null end;
def decoded: points // (.payload | if type == "object" then . else null end);
def place: point(.DevLON; .DevLAT) // (.CustomerData | (if type == "string" then (try fromjson catch null) else . end)
  | objects | .loc | objects | point(.lon; .lat));

def one: (.DevEUI_uplink // .) as $u
  | if type == "object" and (has("DevEUI_uplink") | not) and any(keys[]; startswith("DevEUI_")) then {ignored: "no uplink"}
    elif ($u.DevEUI | type) != "string" then {refused: "no DevEUI_uplink"}
    else
      uplink({device: ($u.DevEUI | if test("^[0-9A-Fa-f]{16}$") then ascii_downcase else null end), times: [$u.Time],
        port: ([$u.FPort | number] | .[0]),
        decoded: ($u | decoded),
        base: (strongest([$u.LrrRSSI, ($u.Lrrs.Lrr | several | .LrrRSSI)]) + member("location"; [$u | place] | .[0]))};
        $u.payload_hex | frame_as("hex");
        $u | .DriverCfg.mod.mId?, .CustomerData.alr.pro?, .CustomerData.name?, (.DevEUI | ascii_downcase))
    end;

if type == "array" then [.[] | each(one)] else each(one) end
